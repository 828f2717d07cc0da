"""The lines of docs/security-tests.md that no test elsewhere shows."""
