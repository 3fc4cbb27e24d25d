#!/usr/bin/env bash
# Pictures of a report's page at 1280 and 380 pixels, light and dark:
#
#	screenshots.sh DIR
#
# writes DIR/screenshot-1280-light.png and so on. DIR is what `rnnbench report --out DIR`
# has left. It needs Chromium (Debian: chromium fonts-dejavu-core).
set -euo pipefail
dir=${1:?name the folder of a report}
test -f "$dir/report.html" || { echo "screenshots: $dir has no report.html" >&2; exit 1; }
dir=$(cd "$dir" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
	{ echo "screenshots: Chromium is not installed" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for width in 1280 380; do
	# A window has a least width, a frame in it has none. The frame is as high as its page.
	cat >"$tmp/frame.html" <<-HTML
		<meta name="color-scheme" content="light dark"><body style="margin:0"><iframe src="file://$dir/report.html" style="border:0;width:${width}px;height:100px"></iframe>
		<script>onload = () => {
			const frame = document.querySelector("iframe");
			document.title = frame.contentDocument.documentElement.scrollHeight;
			frame.style.height = document.title + "px";
		}</script>
	HTML
	for mode in dark:0 light:1; do
		flags=(--headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files
			--user-data-dir="$tmp/profile" --blink-settings=preferredColorScheme="${mode#*:}")
		height=$(timeout 60 "$browser" "${flags[@]}" --window-size="$width,800" --dump-dom "file://$tmp/frame.html" 2>/dev/null |
			sed -n 's|.*<title>\([0-9]*\)</title>.*|\1|p' | head -n 1)
		picture=$dir/screenshot-$width-${mode%:*}.png
		timeout 60 "$browser" "${flags[@]}" --window-size="$width,${height:?the page has no height}" \
			--screenshot="$picture" "file://$tmp/frame.html" >/dev/null 2>&1
		echo "$picture"
	done
done
