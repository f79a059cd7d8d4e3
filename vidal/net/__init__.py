"""The one way out: every request of a crawl passes its limits, its address guard and the opt-outs of the sites."""
