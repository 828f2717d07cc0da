"""What we compare ourselves with: another library, and the database driver with nothing around it."""
