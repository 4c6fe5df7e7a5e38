"""What looks at all crawls now and then: does each run as often as its schedule promises?"""
