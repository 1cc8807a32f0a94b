"""The benchmarks: what a cache costs, against a floor that no cache can beat and against the libraries in use today.

How it is laid out:

    __main__            python -m bench [WORD ...]: runs, prints, keeps the results
    micro, memory, stall, stampede, imports, hit_ratio     one question each
    compare             one adapter a library: the same work for all of them
    measure, record     how time is taken; what a result is and where it is kept
    plots, page         from the results to pictures and to the page of the docs

Rule 1: what is compared runs in one process and one run, in short turns, and only the ratios of a turn are believed.
Rule 2: every library runs at the best settings it has for the work; each adapter says which they are.
Rule 3: a benchmark checks that the work was done; one that measures the wrong thing stops.
"""
