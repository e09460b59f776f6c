"""The audit of whole snapshots: `dara batch`.

A snapshot is cut into shards (slices of its entries). Each shard is judged by itself and written durably; when all are
there, they are put together to tables. Whoever judges the shards, in which order and in how many attempts, the tables
are the same byte for byte.

| module | what it does |
|---|---|
| `plan` | what is read and how: identity of the snapshot, settings, versions; a run resumes only under the same plan |
| `shard` | entries to rows; one shard to one folder that appears whole or not at all |
| `remember` | what equal configs and equal graphs say, computed once |
| `signatures` | a sketch of each graph that is read, kept by the shards |
| `engines` | who judges the shards: processes on this machine, or a Ray cluster |
| `graphs`, `clusters` | the different graphs of a run, and which of them are alike |
| `merge` | shards to tables and totals |
| `run` | all of it, with lock, resume and clear errors |
"""
