// post: what athletes tell one another.
#include <algorithm>
#include <memory>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"

namespace sport_tracker {
namespace {

struct post_arguments {
  std::string key, text, workout, comment;
};

constexpr std::size_t new_key_bytes = 12;

std::string new_key() {
  std::array<unsigned char, new_key_bytes> raw{};
  joinery::system_random{}.fill(raw);
  return joinery::to_hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
}

std::string post_text_from(const std::string& text) {
  if (text.empty()) throw input_error("the text is empty");
  return checked_text("the text", text, true);
}

/// `draft`: whether the profile's draft is what is posted, and goes with it.
int add_post(context& c, const post_arguments& a, bool draft = false) {
  const auto kept = draft ? c.db.find<post_draft>(c.profile) : joinery::row<post_draft>{};
  if (draft && !kept) throw input_error("there is no draft");
  const auto text = post_text_from(draft ? *kept->text : a.text);
  const auto workout =
      a.workout.empty() ? "" : full_key<workout_session>(c.db, a.workout, "workout");
  const auto key = new_key();
  c.db.write([&](database::transaction& tx) {
        auto post = tx.create<social_post>(key);
        post.author = c.profile;
        post.posted_at_ms = c.now_ms();
        if (!workout.empty()) post.workout = workout;
        set_post_text(post, text);
        if (draft) tx.erase<post_draft>(c.profile);
      })
      .value();
  c.out << "posted " << short_key(key) << "\n";
  return exit_done;
}

int show_draft(context& c) {
  if (const auto kept = c.db.find<post_draft>(c.profile)) c.out << printable(*kept->text) << "\n";
  return exit_done;
}

/// Keeps a text on this device; an empty one takes the draft away.
int keep_draft(context& c, const std::string& text) {
  c.db.write([&](database::transaction& tx) {
        if (text.empty())
          tx.erase<post_draft>(c.profile);
        else
          tx.create<post_draft>(c.profile).text = post_text_from(text);
      })
      .value();
  return exit_done;
}

void print_post(context& c, std::string_view key, const social_post& p) {
  c.out << short_key(key) << "  " << utc_time(*p.posted_at_ms) << "  " << printable(*p.author);
  if (const auto workout = *p.workout; !workout.empty())
    c.out << " on workout " << short_key(workout);
  if (const auto likes = p.likes.size(); likes > 0)
    c.out << ", " << likes << (likes == 1 ? " like" : " likes");
  if (p.text.in_conflict()) c.out << " (conflict)";
  c.out << "\n  " << printable(*p.text) << "\n";
  for (const auto& id : p.comments.keys()) {
    const auto [who, at, text] = *p.comments[id];
    c.out << "    " << short_key(id) << "  " << utc_time(at) << "  " << printable(who) << ": "
          << printable(text) << "\n";
  }
}

int list_posts(context& c) {
  std::vector<std::pair<std::int64_t, std::string>> posts;
  c.db.for_each<social_post>([&](std::string_view key, const social_post& p) {
    posts.emplace_back(*p.posted_at_ms, key);
  });
  std::sort(posts.begin(), posts.end());
  for (const auto& [at, key] : posts) print_post(c, key, *c.db.find<social_post>(key));
  return exit_done;
}

using post_change = std::function<void(social_post, const context&, const post_arguments&)>;

int edit_post(context& c, const post_arguments& a, const post_change& how) {
  const auto key = full_key<social_post>(c.db, a.key, "post");
  c.db.write([&](database::transaction& tx) { how(tx.edit<social_post>(key), c, a); }).value();
  return exit_done;
}

int delete_post(context& c, const std::string& name) {
  const auto key = full_key<social_post>(c.db, name, "post");
  c.db.write([&](database::transaction& tx) { tx.erase<social_post>(key); }).value();
  c.out << "deleted post " << short_key(key) << "\n";
  return exit_done;
}

void add_comment(social_post p, const context& c, const post_arguments& a) {
  p.comments[new_key()] = comment{c.profile, c.now_ms(), post_text_from(a.text)};
}

void remove_comment(social_post p, const context&, const post_arguments& a) {
  for (const auto& id : p.comments.keys()) {
    if (a.comment.empty() || !id.starts_with(a.comment)) continue;
    p.comments.erase(id);
    return;
  }
  throw input_error("the post has no comment " + printable(a.comment));
}

}  // namespace

void set_post_text(social_post p, const std::string& text) {
  const auto before = hashtags_in(*p.text);
  const auto after = hashtags_in(text);
  for (const auto& tag : before)
    if (std::find(after.begin(), after.end(), tag) == after.end()) p.hashtags.erase(tag);
  for (const auto& tag : after) p.hashtags.insert(tag);
  p.text = post_text_from(text);
}

void add_post_commands(CLI::App& app, request& chosen) {
  const auto a = std::make_shared<post_arguments>();
  auto* post = app.add_subcommand(
      "post", "Write, list, edit and take down posts; a KEY may be given by its first characters");
  post->require_subcommand(0, 1);
  post->callback([&chosen, post] {
    if (post->get_subcommands().empty()) chosen = {access::read, list_posts};
  });
  const auto on_post = [&](const std::string& name, const std::string& about, post_change how) {
    auto* command = post->add_subcommand(name, about);
    command->add_option("KEY", a->key, "The post")->required();
    command->callback([&chosen, a, how = std::move(how)] {
      chosen = {access::write, [args = *a, how](context& c) { return edit_post(c, args, how); }};
    });
    return command;
  };

  auto* add = post->add_subcommand("add", "Write a post; its #words become its hashtags");
  add->add_option("TEXT", a->text, "What to say")->required();
  add->add_option("--workout", a->workout, "The workout that it is about")->type_name("KEY");
  add->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return add_post(c, args); }};
  });
  auto* draft =
      post->add_subcommand("draft", "Show the draft, or keep one; no other device sees it");
  auto* draft_text = draft->add_option("TEXT", a->text, "What to say; empty: none any more");
  draft->callback([&chosen, a, draft_text] {
    if (draft_text->count() == 0)
      chosen = {access::read, show_draft};
    else
      chosen = {access::write, [text = a->text](context& c) { return keep_draft(c, text); }};
  });
  auto* publish = post->add_subcommand("publish", "Post the draft");
  publish->add_option("--workout", a->workout, "The workout that it is about")->type_name("KEY");
  publish->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return add_post(c, args, true); }};
  });
  post->add_subcommand("list", "List them by time; also without any word")->callback([&chosen] {
    chosen = {access::read, list_posts};
  });
  post->add_subcommand("delete", "Take a post down for good, whatever happens to it elsewhere")
      ->callback([&chosen, a] {
        chosen = {access::write, [key = a->key](context& c) { return delete_post(c, key); }};
      })
      ->add_option("KEY", a->key, "The post")
      ->required();

  on_post("edit", "Change the text",
          [](social_post p, const context&, const post_arguments& args) {
            set_post_text(p, args.text);
          })
      ->add_option("TEXT", a->text, "The new text")
      ->required();
  on_post("like", "Like a post", [](social_post p, const context& c, const post_arguments&) {
    p.likes.insert(c.profile);
  });
  on_post("unlike", "Take the like back",
          [](social_post p, const context& c, const post_arguments&) { p.likes.erase(c.profile); });
  on_post("comment", "Comment on a post", add_comment)
      ->add_option("TEXT", a->text, "What to say")
      ->required();
  on_post("uncomment", "Remove a comment", remove_comment)
      ->add_option("COMMENT", a->comment, "The comment's key, or its first characters")
      ->required();
}

}  // namespace sport_tracker
