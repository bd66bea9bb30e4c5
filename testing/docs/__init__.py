"""What holds the documents to the code, and makes their generated parts."""
