package sinks_test

const childVariable = "MIGRATE_TEST_SINK"

func runChild(spec string) int { return 1 }
