"""The configuration: its keys and types, and the gates that refuse what cannot be trained."""
