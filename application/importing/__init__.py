"""Records out of CSV files: a mapping file says what each column means, and each row becomes commands."""
