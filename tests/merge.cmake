# Writes OUTPUT: one translation unit with the test files SOURCES (a list separated by |), each in a
# namespace of its own. What they include is included before, outside of those namespaces, where
# their own #include lines then find nothing more to do. The files' text stands in the unit itself,
# so that the compilers warn about it as about any other source.
string(REPLACE "|" ";" SOURCES "${SOURCES}")
set(includes "")
set(bodies "")
foreach(source IN LISTS SOURCES)
  # With their conditions, whose other lines are left out.
  file(STRINGS ${source} lines REGEX "^#(include|if|elif|else|endif)")
  list(JOIN lines "\n" lines)
  string(APPEND includes "${lines}\n")

  get_filename_component(name ${source} NAME_WE)
  file(READ ${source} text)
  string(APPEND bodies
    "namespace file_${name} {\n#line 1 \"${source}\"\n${text}\n}  // namespace file_${name}\n")
endforeach()
file(WRITE ${OUTPUT} "${includes}\n${bodies}")
