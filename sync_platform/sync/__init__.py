"""The steps of the work: pull, reconcile, push, and the questions that people ask about them."""
