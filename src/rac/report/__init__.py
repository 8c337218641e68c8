"""Reports: from metrics to one self-contained HTML page and to Markdown, with intervals and statements of order."""
