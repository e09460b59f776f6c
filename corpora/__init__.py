"""What is audited and what it is compared with: packages, their sources, the reference corpus."""
