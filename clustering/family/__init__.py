"""From a tensor listing to a family.

Learnt once, from the reference corpus: `templates` (a class at any size), `unions` (a family in any layout), `tokens`
and names (`vocabulary`), put together by `learn` into an index (`index`, `stored`, `inverted`), with `twins` and the
curve of `calibrate`.

Asked for every package: `observed` (its shapes), `retrieval` (templates that resemble it), `explain` (which of them
explain it: `plans`, `unify`, `judge`, `counts`, `settle`), `wholes` (unions and composites), `ranking` and `weighing`
(which family comes first, how sure), all by `scorer`. `fit` asks about one family, `estimator` is scikit-learn's
contract.
"""
