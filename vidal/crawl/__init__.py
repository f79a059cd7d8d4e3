"""The crawl: who may be asked and how often, what an answer means, and the fetch itself."""
