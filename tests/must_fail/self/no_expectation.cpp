static_assert(sizeof(char) == 2, "nothing says what is expected");
int main() {}
