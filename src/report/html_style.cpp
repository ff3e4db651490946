// SPDX-License-Identifier: Apache-2.0
// The style of the HTML report. Colours hold a contrast of 4.5:1 in both themes.
#include "src/report/html_style.h"

namespace epaudit {

const char* const kHtmlStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1a1d21; --soft: #59616b; --edge: #dde1e6; --code: #f1f3f5;
  --red: #b3261e; --red-bg: #fdeceb; --amber: #8a5000; --amber-bg: #fdf2dd; --blue: #1d5fa8; --blue-bg: #e8f1fb;
  --grey: #59616b; --grey-bg: #eef0f2; --green: #1b6e3c; --green-bg: #e5f5eb;
  --delivered: #1d5fa8; --read: #1b6e3c; --write: #8a5000; --control: #6b3fa0; --other: #59616b;
  --guilty: #fdeceb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1d2125; --ink: #e6e9ec; --soft: #a3adb8; --edge: #343a41; --code: #15181b;
    --red: #ff8a80; --red-bg: #3d1f1d; --amber: #ffc069; --amber-bg: #3a2b12; --blue: #8cc0ff; --blue-bg: #18304a;
    --grey: #a3adb8; --grey-bg: #2a2f35; --green: #7fd8a0; --green-bg: #173524;
    --delivered: #8cc0ff; --read: #7fd8a0; --write: #ffc069; --control: #c9a6ff; --other: #a3adb8;
    --guilty: #3d1f1d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 980px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
footer { padding-bottom: 32px; color: var(--soft); font-size: 13px; }
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 32px 0 10px; }
h3 { font-size: 15px; margin: 22px 0 6px; }
a { color: var(--blue); }
p { margin: 6px 0; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 13px; }
code, .mono, dd { overflow-wrap: anywhere; }
td { overflow-wrap: break-word; }
.soft { color: var(--soft); }
.verdict { display: inline-block; margin: 12px 0; padding: 8px 14px; border-radius: 8px; font-weight: 600; }
.bad { background: var(--red-bg); color: var(--red); }
.good { background: var(--green-bg); color: var(--green); }
.unsure { background: var(--amber-bg); color: var(--amber); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 10px; margin: 10px 0; padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 10px 12px; }
.cards b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
.cards span { color: var(--soft); font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 18px 20px; margin: 14px 0; }
.card > h2 { margin-top: 0; }
.level { display: inline-block; font-size: 12px; font-weight: 700; letter-spacing: .04em; text-transform: uppercase; border-radius: 5px; padding: 2px 7px; margin-right: 6px; vertical-align: 2px; }
.confirmed { background: var(--red-bg); color: var(--red); }
.likely { background: var(--amber-bg); color: var(--amber); }
.risk { background: var(--blue-bg); color: var(--blue); }
.info, .known { background: var(--grey-bg); color: var(--grey); }
.where { display: flex; flex-wrap: wrap; gap: 6px; margin: 10px 0; padding: 0; list-style: none; }
.where li { background: var(--code); border: 1px solid var(--edge); border-radius: 5px; padding: 1px 8px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 8px 0; }
dt { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
figure { margin: 14px 0; }
figcaption { font-weight: 600; margin-bottom: 6px; }
figcaption small { font-weight: 400; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 0 24px; }
.chart { display: block; width: 100%; overflow: visible; }
.lanes { display: grid; grid-template-columns: 92px 1fr; }
.names span { display: flex; flex-direction: column; justify-content: center; height: 30px; font-size: 13px; line-height: 1.1; }
.names b { font-weight: 400; color: var(--soft); font-size: 11px; }
.rail { stroke: var(--edge); }
.grid { stroke: var(--edge); stroke-dasharray: 2 4; }
.tick, .pause { fill: var(--soft); font-size: 11px; }
.at { overflow: visible; }
.mark { stroke: var(--card); stroke-width: 1.5; }
.mark.delivered { fill: var(--delivered); } .mark.read { fill: var(--read); } .mark.write { fill: var(--write); }
.mark.epoll_ctl { fill: var(--control); } .mark.other { fill: var(--other); }
.mark.bar { fill: var(--delivered); stroke: none; }
.line { fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.line.returns { stroke: var(--delivered); } .area.returns { fill: var(--delivered); opacity: .12; }
.line.futile { stroke: var(--red); stroke-dasharray: 5 3; } .area.futile { fill: var(--red); opacity: .14; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin: 4px 0 0; padding: 0; list-style: none; }
.legend svg { vertical-align: middle; margin-right: 6px; overflow: visible; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
td.t { white-space: nowrap; font-variant-numeric: tabular-nums; }
.source { background: var(--code); border: 1px solid var(--edge); border-radius: 8px; padding: 8px 0; overflow-x: auto; margin: 6px 0; }
.source code { display: block; padding: 0 12px; white-space: pre; min-width: max-content; }
.source .guilty { background: var(--guilty); font-weight: 600; }
.source i { font-style: normal; color: var(--soft); display: inline-block; min-width: 4ch; text-align: right; margin-right: 14px; }
.fix { border-left: 4px solid var(--green); background: var(--green-bg); border-radius: 0 8px 8px 0; padding: 8px 14px; margin: 14px 0; }
.fix b { color: var(--green); }
ol.frames { list-style: none; margin: 4px 0; padding: 0; }
ol.frames li { padding: 1px 0; overflow-wrap: anywhere; }
ol.frames .soft { margin-left: 10px; }
ol.frames .guilty { font-weight: 600; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--blue); }
pre.page { white-space: pre-wrap; background: var(--code); border: 1px solid var(--edge); border-radius: 8px; padding: 12px; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
@media (max-width: 560px) {
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  .card { padding: 14px 12px; }
  .lanes { grid-template-columns: 72px 1fr; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; }
}
@media print { body { background: #fff; } .card { break-inside: avoid; } details { display: none; } }
)css";

}  // namespace epaudit
