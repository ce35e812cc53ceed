"""The factors of RUSLE and CSLE, one module a factor."""
