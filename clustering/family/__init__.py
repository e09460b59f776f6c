"""From a tensor listing to a family: templates, unification, vocabulary, calibration."""
