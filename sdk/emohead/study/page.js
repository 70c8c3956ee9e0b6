"use strict";
const study = JSON.parse(document.getElementById("study").textContent);
const questions = Object.entries(study.questions);
const at = (id) => document.getElementById(id);
const HEARD_SHARE = 0.95;
const SLACK_S = 0.25;

let participant = 0;
let state = null;

const storageName = () => `emohead-study:${study.study}:${participant}`;
const screens = () => study.participants[participant - 1];
const spotOf = (screen, clip) => `${screen.set || screen.check}/${clip}`;

function fresh() {
  return { started: new Date().toISOString(), screen: 0, played: {}, scores: {} };
}

function load() {
  try {
    const stored = JSON.parse(localStorage.getItem(storageName()));
    return stored && stored.scores && stored.played ? stored : fresh();
  } catch {
    return fresh();
  }
}

function keep() {
  try {
    localStorage.setItem(storageName(), JSON.stringify(state));
  } catch {
    /* Without storage the study works, but a reload starts it again. */
  }
}

function show(id) {
  for (const name of ["start", "screen", "end"]) at(name).hidden = name !== id;
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function scale(screen, clip, [question, text]) {
  const spot = spotOf(screen, clip);
  const set = element("fieldset", { disabled: !state.played[spot] }, element("legend", { textContent: text }));
  const row = element("div", { className: "scale" });
  for (let score = 0; score <= 10; score++) {
    const input = element("input", { type: "radio", name: `${spot}/${question}`, value: String(score) });
    input.checked = state.scores[spot]?.[question] === score;
    input.addEventListener("change", () => {
      state.scores[spot] = { ...state.scores[spot], [question]: score };
      keep();
      refresh();
    });
    row.append(element("label", {}, input, String(score)));
  }
  const ends = element("div", { className: "ends", ariaHidden: "true" });
  ends.append(element("span", { textContent: "very bad" }), element("span", { textContent: "very good" }));
  set.append(row, ends);
  return set;
}

function heardShare(video) {
  let heard = 0;
  for (let i = 0; i < video.played.length; i++) heard += video.played.end(i) - video.played.start(i);
  return heard + SLACK_S >= HEARD_SHARE * video.duration;
}

function clipCard(screen, clip, index) {
  const letter = String.fromCharCode(65 + index);
  const spot = spotOf(screen, clip);
  const video = element("video", {
    src: study.files[clip], controls: true, preload: "auto", playsInline: true, ariaLabel: `Video ${letter}`,
  });
  video.setAttribute("controlslist", "nodownload noplaybackrate");
  video.disablePictureInPicture = true;
  const hint = element("p", { className: "hint" });
  const scales = questions.map((question) => scale(screen, clip, question));
  const tell = () => {
    hint.textContent = state.played[spot] ? "" : "Play the video to its end to rate it.";
    for (const set of scales) set.disabled = !state.played[spot];
  };
  video.addEventListener("play", () => {
    for (const other of document.querySelectorAll("video")) if (other !== video) other.pause();
  });
  video.addEventListener("ended", () => {
    if (!heardShare(video)) {
      hint.textContent = "Parts were skipped: please play the whole video.";
      return;
    }
    state.played[spot] = true;
    keep();
    tell();
    refresh();
  });
  video.addEventListener("error", () => {
    hint.textContent = "This video cannot be played: please tell whoever asked you.";
  });
  tell();
  const name = screen.check ? "Video" : `Video ${letter}`;
  return element("article", { className: "clip" }, element("h3", { textContent: name }), video, hint, ...scales);
}

function isRated(screen, clip) {
  const given = state.scores[spotOf(screen, clip)] || {};
  return questions.every(([question]) => Number.isInteger(given[question]));
}

function refresh() {
  const screen = screens()[state.screen];
  const left = screen.clips.filter((clip) => !isRated(screen, clip)).length;
  at("next").disabled = left > 0;
  at("missing").textContent = left ? `${left} of ${screen.clips.length} still to rate` : "All rated";
}

function instructionOf(screen) {
  if (!screen.check) return "Play each video, then rate it. Compare them as you like.";
  const wanted = questions.map(([question, text]) => `${screen.asked[question]} to “${text}”`);
  return `A check that you are reading: play the video, then give ${wanted.join(" and ")}`;
}

function draw() {
  const all = screens();
  if (state.screen >= all.length) {
    finish();
    return;
  }
  const screen = all[state.screen];
  show("screen");
  at("heading").textContent = `Page ${state.screen + 1} of ${all.length}`;
  at("bar").value = state.screen / all.length;
  at("instruction").textContent = instructionOf(screen);
  at("instruction").className = screen.check ? "check" : "";
  const photo = study.files[screen.set];
  at("photo").hidden = !photo;
  if (photo) at("photo").querySelector("img").src = photo;
  at("clips").replaceChildren(...screen.clips.map((clip, i) => clipCard(screen, clip, i)));
  at("back").disabled = state.screen === 0;
  at("next").textContent = state.screen + 1 === all.length ? "Finish" : "Next";
  refresh();
  window.scrollTo(0, 0);
  at("heading").focus({ preventScroll: true });
}

function go(step) {
  state.screen = Math.max(0, state.screen + step);
  keep();
  draw();
}

function answers() {
  const rated = screens().flatMap((screen) => screen.clips.map((clip) => ({
    ...(screen.check ? { check: screen.check } : { set: screen.set, clip }),
    ...state.scores[spotOf(screen, clip)],
  })));
  return {
    format: "emohead-study-answers/1",
    study: study.study,
    participant,
    started: state.started,
    finished: state.finished,
    ratings: rated.filter((row) => row.set),
    checks: rated.filter((row) => row.check),
  };
}

function finish() {
  state.finished = state.finished || new Date().toISOString();
  keep();
  show("end");
  const text = JSON.stringify(answers(), null, 1);
  at("text").value = text;
  at("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  at("save").download = `answers-${study.study}-${String(participant).padStart(3, "0")}.json`;
  at("end-heading").focus({ preventScroll: true });
}

function begin(number) {
  if (!Number.isInteger(number) || number < 1 || number > study.participants.length) {
    at("who-error").textContent = `Please give a number from 1 to ${study.participants.length}.`;
    show("start");
    return;
  }
  participant = number;
  state = load();
  keep();
  draw();
}

document.title = study.title;
at("title").textContent = study.title;
at("number").max = study.participants.length;
at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(Number(at("number").value));
});
at("next").addEventListener("click", () => go(1));
at("back").addEventListener("click", () => go(-1));
at("review").addEventListener("click", () => {
  delete state.finished;
  go(-1);
});
const given = new URLSearchParams(location.search).get("participant");
if (given === null) show("start");
else begin(Number(given));
