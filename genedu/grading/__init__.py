"""The instructor's side: run what students wrote in a sandbox, judge it from outside, keep and show the points."""
