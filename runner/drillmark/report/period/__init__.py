"""The drills of a period on one page, `drillmark.period/1`: verdicts, trend, gaps, what is overdue, means. Pure.

    gathering.gather(...)           the document, from stored results, gaps and schedules
    markdown.render, page.render    its faces

What time it is is handed in. Must never count what is missing as good: a mean says over how many of how many runs.
"""
