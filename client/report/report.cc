#include "client/report/report.h"

#include "client/report/figure_data.h"
#include "client/report/figures.h"
#include "client/report/page.h"
#include "common/base/files.h"
#include "common/figures/convert_png.h"

namespace inferon::report {
namespace {

namespace fs = std::filesystem;

Status MakeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "the folder " + folder.string() + " cannot be made: " + error.message(),
              "Choose another folder for the report");
}

// PNGs of the SVGs; the first failure becomes a warning and ends the attempt.
void WritePngs(const std::vector<fs::path>& svgs, const std::string& program, ReportFiles& files) {
  for (const fs::path& svg : svgs) {
    fs::path png = svg;
    png.replace_extension(".png");
    std::error_code ignored;
    fs::remove(png, ignored);  // A stale picture is worse than none.
    if (Status made = ConvertToPng(program, svg, png); !made) {
      files.warnings.push_back("No PNG figures: " + made.error().Text());
      return;
    }
    files.figures.push_back(png);
  }
}

}  // namespace

const ReportNumber* FindNumber(const std::vector<ReportNumber>& numbers, const std::string& key) {
  for (const ReportNumber& number : numbers) {
    if (number.key == key) return &number;
  }
  return nullptr;
}

Result<ReportFiles> WriteReport(const ReportData& data, const fs::path& folder,
                                const ReportOptions& options) {
  const Result<FigureData> decoded = ReadFigureData(data);
  if (!decoded) return tl::unexpected(decoded.error());
  const std::vector<Figure> figures = DrawFigures(*decoded);
  if (Status made = MakeFolder(folder / "figures"); !made) return tl::unexpected(made.error());
  ReportFiles files;
  files.page = folder / "index.html";
  for (const Figure& figure : figures) {
    files.figures.push_back(folder / "figures" / (figure.svg.id() + ".svg"));
    WriteFileAtomically(files.figures.back(), figure.svg.Document());
  }
  WritePngs(std::vector<fs::path>(files.figures), options.png_converter, files);
  WriteFileAtomically(files.page, RenderPage(*decoded, figures));
  return files;
}

}  // namespace inferon::report
