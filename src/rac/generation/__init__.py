"""Generation: from a prompt to one question or N candidates, in process, over HTTP, or from a template."""
