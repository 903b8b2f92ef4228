"""What every network of a text is compared with, on the same tokens: n-grams and compressors."""
