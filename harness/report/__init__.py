"""Run record in, words out: HTML, JSON, Markdown, terminal. Computes no verdict and writes nothing."""
