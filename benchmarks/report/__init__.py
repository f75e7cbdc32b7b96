"""What a run found, for people.

tables.py       rows of text for a case, for the aims, and for what is ours to lose
text.py         for the terminal
markdown.py     the page of the documentation
chart.py        the page's chart, in SVG
"""
