"""Evaluation of rankings against editors' picks: measures, protocols, intervals, tests, reports."""
