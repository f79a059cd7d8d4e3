"""Tests of vidal/crawl."""
