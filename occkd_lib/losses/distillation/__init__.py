"""What a student learns from its teacher; one equation a file."""
