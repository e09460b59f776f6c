"""What several rules share: comparisons, exemptions, wording."""
