"""Studies: the tables that a reader of a whole snapshot asks for, made from the results of `dara batch`.

One file per study, all registered in `registry`. A study reads the columns that it names, some thousand rows at a
time; where a snapshot lacks a column, the study says so instead of counting nothing.
"""
