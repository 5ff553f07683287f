// expect: error: .*wanted
int main() {}
