// expect: error: .*wanted
static_assert(sizeof(char) == 2, "the wanted one, in both");
int main() {}
