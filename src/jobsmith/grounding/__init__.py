"""Whether what a document says is said by the master CV. No model decides here: words, numbers and names do."""
