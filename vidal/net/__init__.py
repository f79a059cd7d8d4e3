"""The crawl's only way to the internet: every request passes the rate limits, the address guard and the opt-outs of the sites."""
