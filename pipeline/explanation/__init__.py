"""An experiment before it is trained: facts read off its data and layers, as text and as a drawing."""
