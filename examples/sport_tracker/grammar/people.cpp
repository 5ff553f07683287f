// profile, post: the athlete's own page, and what athletes tell one another.
#include <memory>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/grammar/grammar.hpp"

namespace sport_tracker {
namespace {

struct profile_words {
  std::string field, value, verb;
  std::int64_t amount = 1;
};

struct post_words {
  std::string key, text, workout, comment;
};

/// `badge` and `goal`: sets of short texts.
void add_set_command(CLI::App& profile, const std::string& name, const std::string& about,
                     request (*change)(set_change, std::string), request& chosen,
                     const std::shared_ptr<profile_words>& w) {
  auto* command = profile.add_subcommand(name, about);
  command->add_option("VERB", w->verb, "add or remove")
      ->required()
      ->check(CLI::IsMember({"add", "remove"}));
  command->add_option("TEXT", w->value, "What to add or remove")->required();
  command->callback([&chosen, w, change] {
    chosen = change(w->verb == "add" ? set_change::add : set_change::remove, w->value);
  });
}

}  // namespace

void add_profile_commands(CLI::App& app, request& chosen) {
  const auto w = std::make_shared<profile_words>();
  auto* profile =
      add_noun(app, "profile", "Show and change the athlete's profile", chosen, show_profile);

  profile->add_subcommand("show", "Show it; also without any word")->callback([&chosen] {
    chosen = show_profile();
  });
  profile->add_subcommand("bests", "Show the longest workouts, all told and for each sport")
      ->callback([&chosen] { chosen = show_bests(); });
  profile
      ->add_subcommand("delete",
                       "Delete it, with its XP, badges and goals; an edit made "
                       "elsewhere meanwhile brings it back")
      ->callback([&chosen] { chosen = delete_profile(); });

  auto* set = profile->add_subcommand("set", "Set a field");
  set->add_option("FIELD", w->field,
                  "name, bio, birth-date (1990-05-17), units (metric or imperial), weight (in "
                  "kilograms) or coach (on or off: whether a coach may look)")
      ->required();
  set->add_option("VALUE", w->value, "Its new value")->required();
  set->callback([&chosen, w] { chosen = set_profile(w->field, w->value); });

  add_set_command(*profile, "badge", "Add or remove a badge", change_badges, chosen, w);
  add_set_command(*profile, "goal", "Add or remove a goal", change_goals, chosen, w);

  auto* kudos = profile->add_subcommand("kudos", "Give kudos, or take them back");
  kudos->add_option("VERB", w->verb, "give or take")
      ->required()
      ->check(CLI::IsMember({"give", "take"}));
  kudos->add_option("AMOUNT", w->amount, "How many; one if not said")
      ->check(CLI::Range(1, 1'000'000));
  kudos->callback(
      [&chosen, w] { chosen = give_kudos(w->verb == "give" ? w->amount : -w->amount); });
}

void add_post_commands(CLI::App& app, request& chosen) {
  const auto w = std::make_shared<post_words>();
  auto* post =
      add_noun(app, "post",
               "Write, list, edit and take down posts; a KEY may be given by its first characters",
               chosen, list_posts);
  const auto on_post = [&](const std::string& name, const std::string& about,
                           request (*meant)(const post_words&)) {
    auto* command = post->add_subcommand(name, about);
    command->add_option("KEY", w->key, "The post")->required();
    command->callback([&chosen, w, meant] { chosen = meant(*w); });
    return command;
  };

  auto* add = post->add_subcommand("add", "Write a post; its #words become its hashtags");
  add->add_option("TEXT", w->text, "What to say")->required();
  add->add_option("--workout", w->workout, "The workout that it is about")->type_name("KEY");
  add->callback([&chosen, w] { chosen = add_post(w->text, w->workout); });
  auto* draft =
      post->add_subcommand("draft", "Show the draft, or keep one; no other device sees it");
  auto* draft_text = draft->add_option("TEXT", w->text, "What to say; empty: none any more");
  draft->callback([&chosen, w, draft_text] {
    chosen = draft_text->count() == 0 ? show_draft() : keep_draft(w->text);
  });
  auto* publish = post->add_subcommand("publish", "Post the draft");
  publish->add_option("--workout", w->workout, "The workout that it is about")->type_name("KEY");
  publish->callback([&chosen, w] { chosen = publish_draft(w->workout); });
  post->add_subcommand("list", "List them by time; also without any word")->callback([&chosen] {
    chosen = list_posts();
  });

  on_post("delete", "Take a post down for good, whatever happens to it elsewhere",
          [](const post_words& said) { return delete_post(said.key); });
  on_post("edit", "Change the text",
          [](const post_words& said) { return edit_post(said.key, said.text); })
      ->add_option("TEXT", w->text, "The new text")
      ->required();
  on_post("like", "Like a post", [](const post_words& said) { return like_post(said.key); });
  on_post("unlike", "Take the like back",
          [](const post_words& said) { return unlike_post(said.key); });
  on_post("comment", "Comment on a post",
          [](const post_words& said) { return comment_post(said.key, said.text); })
      ->add_option("TEXT", w->text, "What to say")
      ->required();
  on_post("uncomment", "Remove a comment",
          [](const post_words& said) { return uncomment_post(said.key, said.comment); })
      ->add_option("COMMENT", w->comment, "The comment's key, or its first characters")
      ->required();
}

}  // namespace sport_tracker
