"""What decides which channels stay (SCA, a board's memory), and cutting the others out."""
