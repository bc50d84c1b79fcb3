#include "tests/power/disk_log.h"

#include <algorithm>
#include <fstream>

#include "common/base/check.h"

namespace inferon::power {
namespace {

using Kind = DiskOp::Kind;

constexpr std::size_t kSector = 512;

std::string FolderOf(const std::string& path) {
  const auto slash = path.find_last_of('/', path.size() - 2);
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

void Put(std::string& content, std::uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
}

// Does to a content what an operation does.
void Do(const DiskOp& op, std::string& content) {
  if (op.kind == Kind::kTruncate) {
    content.resize(op.offset);
  } else {
    Put(content, op.offset, op.bytes);
  }
}

// The sectors of a write that reached the disk.
void WriteTorn(const DiskOp& op, std::uint32_t percent, PhiloxSequence& random,
               std::string& content) {
  for (std::uint64_t at = op.offset, end = op.offset + op.bytes.size(); at < end;) {
    const std::uint64_t next = std::min(end, (at / kSector + 1) * kSector);
    if (random.Below(100) < percent) {
      Put(content, at, std::string_view(op.bytes).substr(at - op.offset, next - at));
    }
    at = next;
  }
}

class LoggedFile : public DiskFile {
 public:
  LoggedFile(DiskLog& log, std::string path, std::unique_ptr<DiskFile> file)
      : log_(log), path_(std::move(path)), file_(std::move(file)) {}
  void WriteAt(std::uint64_t offset, std::string_view bytes) override {
    log_.OnWrite(path_, offset, bytes);
    file_->WriteAt(offset, bytes);
  }
  void Sync() override {
    log_.OnSync(path_, false);
    file_->Sync();
  }

 private:
  DiskLog& log_;
  const std::string path_;
  const std::unique_ptr<DiskFile> file_;
};

}  // namespace

std::size_t DiskLog::size() const {
  std::lock_guard lock(mu_);
  return ops_.size();
}

std::vector<DiskOp> DiskLog::ops() const {
  std::lock_guard lock(mu_);
  return ops_;
}

void DiskLog::Add(Kind kind, const std::filesystem::path& path, std::uint64_t offset,
                  std::string_view bytes) {
  std::string name = path.lexically_relative(folder_).string();
  if (name == ".") name.clear();
  const bool folder = kind == Kind::kMakeFolder || kind == Kind::kSyncFolder;
  if (folder && !name.empty()) name += '/';
  std::lock_guard lock(mu_);
  ops_.push_back({kind, std::move(name), offset, std::string(bytes)});
}

std::unique_ptr<DiskFile> DiskLog::Create(const std::filesystem::path& path) {
  auto file = SystemDisk().Create(path);
  Add(Kind::kCreate, path);
  return std::make_unique<LoggedFile>(*this, path.string(), std::move(file));
}

std::unique_ptr<DiskFile> DiskLog::Open(const std::filesystem::path& path) {
  return std::make_unique<LoggedFile>(*this, path.string(), SystemDisk().Open(path));
}

void DiskLog::Truncate(const std::filesystem::path& path, std::uint64_t bytes) {
  Add(Kind::kTruncate, path, bytes);
  SystemDisk().Truncate(path, bytes);
}

void DiskLog::Remove(const std::filesystem::path& path) {
  Add(Kind::kRemove, path);
  SystemDisk().Remove(path);
}

void DiskLog::MakeFolder(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return;
  Add(Kind::kMakeFolder, path);
  SystemDisk().MakeFolder(path);
  Add(Kind::kSyncFolder, path.parent_path());
}

void DiskLog::SyncFolder(const std::filesystem::path& path) {
  Add(Kind::kSyncFolder, path);
  SystemDisk().SyncFolder(path);
}

void DiskLog::OnCreate(const std::string& path) { Add(Kind::kCreate, path); }

bool DiskLog::OnWrite(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  Add(Kind::kWrite, path, offset, bytes);
  return true;
}

void DiskLog::OnTruncate(const std::string& path, std::uint64_t bytes) {
  Add(Kind::kTruncate, path, bytes);
}

bool DiskLog::OnSync(const std::string& path, bool folder) {
  Add(Kind::kSync, path);
  if (folder) Add(Kind::kSyncFolder, std::filesystem::path(path).parent_path());
  return true;
}

void DiskLog::OnRemove(const std::string& path, bool sync_folder) {
  Add(Kind::kRemove, path);
  if (sync_folder) Add(Kind::kSyncFolder, std::filesystem::path(path).parent_path());
}

DiskModel::DiskModel(const Image& durable) {
  for (const auto& [path, content] : durable) {
    durable_[path] = std::make_shared<File>(File{path.ends_with('/'), content, {}});
  }
  names_ = durable_;
}

void DiskModel::Apply(const DiskOp& op) {
  switch (op.kind) {
    case Kind::kCreate:
    case Kind::kMakeFolder:
      names_[op.path] = std::make_shared<File>(File{op.kind == Kind::kMakeFolder, {}, {}});
      break;
    case Kind::kRemove:
      names_.erase(op.path);
      break;
    case Kind::kWrite:
    case Kind::kTruncate:
      INFERON_CHECK(names_.contains(op.path));
      names_[op.path]->pending.push_back(op);
      break;
    case Kind::kSync: {
      File& file = *names_.at(op.path);
      for (const DiskOp& one : file.pending) Do(one, file.durable);
      file.pending.clear();
      break;
    }
    case Kind::kSyncFolder:
      SyncNames(op.path);
      break;
  }
}

void DiskModel::SyncNames(const std::string& folder) {
  std::erase_if(durable_, [&](const auto& one) { return FolderOf(one.first) == folder; });
  for (const auto& [path, file] : names_) {
    if (FolderOf(path) == folder) durable_[path] = file;
  }
}

std::string DiskModel::Content(const File& file, Loss loss, PhiloxSequence& random) {
  std::string content = file.durable;
  if (loss == Loss::kEverything) return content;
  if (loss == Loss::kNothing) {
    for (const DiskOp& op : file.pending) Do(op, content);
    return content;
  }
  const std::uint32_t percent = 10 + random.Below(90);
  if (random.Below(2) == 0) {  // The size may be on disk before the bytes.
    std::uint64_t longest = content.size();
    for (const DiskOp& op : file.pending) {
      if (op.kind == Kind::kWrite) longest = std::max(longest, op.offset + op.bytes.size());
    }
    const bool zeros = random.Below(2) == 0;
    while (content.size() < longest) {
      content.push_back(zeros ? '\0' : static_cast<char>(random.Below(256)));
    }
  }
  for (const DiskOp& op : file.pending) {
    if (op.kind == Kind::kWrite) {
      WriteTorn(op, percent, random, content);
    } else if (random.Below(100) < percent) {
      Do(op, content);
    }
  }
  return content;
}

Image DiskModel::Cut(Loss loss, PhiloxSequence& random) const {
  std::map<std::string, FileRef> left = durable_;
  if (loss == Loss::kNothing) left = names_;
  if (loss == Loss::kAtRandom) {
    for (const auto& [path, file] : names_) {
      if (random.Below(2) == 0) left[path] = file;
    }
    for (const auto& [path, file] : durable_) {
      if (!names_.contains(path) && random.Below(2) == 0) left.erase(path);
    }
  }
  Image image;
  for (const auto& [path, file] : left) {
    const std::string folder = FolderOf(path);
    if (!folder.empty() && !left.contains(folder)) continue;  // Lost with its folder.
    image[path] = file->folder ? "" : Content(*file, loss, random);
  }
  return image;
}

void WriteImage(const Image& image, const std::filesystem::path& folder) {
  for (const auto& [path, content] : image) {
    if (path.ends_with('/')) {
      std::filesystem::create_directory(folder / path);
    } else {
      std::ofstream(folder / path, std::ios::binary) << content;
    }
  }
}

}  // namespace inferon::power
