#include "image/layers/layer.h"

#include "base/text.h"
#include "image/layers/layer_limits.h"
#include "image/layers/whiteout.h"

namespace fusebox::image {
namespace {

using Type = TarMember::Type;

std::string place_of(const TarMember& member) {
  return "byte " + std::to_string(member.at) + ": ";
}

base::Result<void> put_hard_link(TreeBuilder& tree, const PathParts& path, const TarMember& member) {
  FB_TRY(const PathParts target, split_path({}, member.link));
  const Tree::Node* const found = target.climbs() ? nullptr : tree.find(target.parts());
  if (found == nullptr) {
    return bad_image("the target " + base::in_quotes(member.link) + " of the hard link " +
                     base::in_quotes(member.path()) + " is not there");
  }
  if (found->type == Tree::Type::directory) {
    return bad_image("the hard link " + base::in_quotes(member.path()) + " leads to a directory");
  }
  return tree.put(path.parts(), *found, true);
}

base::Result<void> put_member(TreeBuilder& tree, const PathParts& path, const TarMember& member) {
  if (member.type == Type::hard_link) return put_hard_link(tree, path, member);
  Tree::Node node;
  node.modified_ns = member.modified_ns;
  if (member.type == Type::regular) {
    node.type = Tree::Type::regular;
    node.content = member.content;
  } else if (member.type == Type::symlink) {
    node.type = Tree::Type::symlink;
    node.link_target = member.link;
  }
  return tree.put(path.parts(), node);
}

void hide(TreeBuilder& tree, const PathParts& path, const Marker& marker) {
  std::vector<std::string_view> target(path.parts().begin(), path.parts().end());
  target.pop_back();
  if (marker.kind == Marker::Kind::opaque) return tree.clear(target);
  target.push_back(marker.name);
  tree.remove(target);
}

// Markers act on what is below before anything of the layer itself is there, wherever in the archive they are.
base::Result<void> apply_marker(TreeBuilder& tree, const TarMember& member) {
  FB_TRY(const PathParts path, split_path(member.prefix, member.name));
  if (path.climbs()) return {};
  FB_TRY(const Marker marker, marker_of(path, member.type));
  if (marker.kind == Marker::Kind::hides || marker.kind == Marker::Kind::opaque) hide(tree, path, marker);
  return {};
}

base::Result<void> apply_entry(LayerWork& work, const TarMember& member) {
  if (work.entries == work.entries_max) return too_large("more than " + std::to_string(work.entries_max) + " entries");
  ++work.entries;
  FB_TRY(const PathParts path, split_path(member.prefix, member.name));
  if (path.climbs()) {
    const std::string what = base::in_quotes(member.path()) + " has \"..\" in its path";
    if (work.strictness == Tree::Strictness::keep) return bad_image(what);
    work.dropped->add(work.place + place_of(member) + what + ": left out");
    return {};
  }
  FB_TRY(const Marker marker, marker_of(path, member.type));
  if (marker.kind != Marker::Kind::none || member.type == Type::device) return {};
  if (member.type == Type::unknown) {
    work.dropped->add(work.place + place_of(member) + base::in_quotes(member.path()) + " is of the unknown type " +
                      base::in_quotes({&member.flag, 1}) + ": left out");
    return {};
  }
  return put_member(*work.tree, path, member);
}

template <class Each>
base::Result<void> for_each_member(base::ByteView archive, const Each& each) {
  TarReader reader(archive);
  while (true) {
    FB_TRY(const std::optional<TarMember> member, reader.next());
    if (!member) return {};
    auto done = each(*member);
    if (!done) done.error().message = place_of(*member) + done.error().message;
    FB_CHECK(std::move(done));
  }
}

}  // namespace

void Dropped::add(std::string sentence) {
  if (sentences_ == nullptr || ++count_ > kDroppedSentencesMax) return;
  sentences_->push_back(std::move(sentence));
}

void Dropped::finish() {
  if (count_ <= kDroppedSentencesMax) return;
  sentences_->push_back(std::to_string(count_ - kDroppedSentencesMax) + " more entries were left out");
}

base::Result<void> apply_layer(base::ByteView archive, bool is_lowest, LayerWork& work) {
  TreeBuilder& tree = *work.tree;
  if (!is_lowest) {
    FB_CHECK(for_each_member(archive, [&](const TarMember& member) { return apply_marker(tree, member); }));
  }
  return for_each_member(archive, [&](const TarMember& member) { return apply_entry(work, member); });
}

}  // namespace fusebox::image
