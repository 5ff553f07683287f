// expect: error: .*wanted
#ifndef FIXED
static_assert(sizeof(char) == 2, "not this one");
static_assert(sizeof(char) == 2, "the wanted one, too late");
#endif
int main() {}
