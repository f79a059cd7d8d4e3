"""The one way out: every request of a crawl passes its rate limits, its address guard and the opt-outs of the sites."""
