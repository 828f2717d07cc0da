"""One module per question: `python -m benchmarks.NAME --json FILE [--quick]`. All of them: `python -m benchmarks`."""
