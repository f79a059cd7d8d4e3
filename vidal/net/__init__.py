"""The only way to the network: every request of a crawl passes its rate limits, its address guard and the opt-outs of the sites."""
