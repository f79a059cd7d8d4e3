"""The crawl of one candidate: fetches its file, judges it, cuts it into clips and stores them."""
