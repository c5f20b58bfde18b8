package localorg

const childEnv = "LOCALORG_TEST_CHILD"

func child() {}
