"""What a person looks at: progress, the table, the verdict, figures and CSV files."""
