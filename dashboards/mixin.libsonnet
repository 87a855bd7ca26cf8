// The rules and dashboards as a monitoring mixin. It only wraps the files beside it:
//
//   jsonnet -S -e 'std.manifestYamlDoc((import "mixin.libsonnet").prometheusAlerts)'
//   jsonnet -m OUT -e '(import "mixin.libsonnet").grafanaDashboards'
//
// Change it where you import it:
//
//   (import 'mta_exporter/dashboards/mixin.libsonnet') + {
//     _config+:: { runbooks: 'https://wiki.example.org/mail/runbooks', labels: { team: 'mail' } },
//   }
local written = 'https://example.org/mta_exporter/dashboards/runbooks';

{
  _config+:: {
    // Where the runbooks are to be read.
    runbooks: written,
    // Labels that every alert gets beside severity and component.
    labels: {},
  },

  local config = self._config,
  local groups = std.parseJson(
    std.strReplace(importstr 'rules/mta_exporter.json', written, config.runbooks)
  ).groups,

  prometheusRules+:: {
    groups: [group for group in groups if group.name == 'mta_exporter.recording'],
  },

  prometheusAlerts+:: {
    groups: [
      group { rules: [rule { labels+: config.labels } for rule in group.rules] }
      for group in groups
      if group.name != 'mta_exporter.recording'
    ],
  },

  grafanaDashboards+:: {
    ['mta-exporter-' + name + '.json']: std.parseJson(
      std.strReplace(boards[name], written, config.runbooks)
    )
    for name in std.objectFields(boards)
  },

  local boards = {
    overview: importstr 'overview.json',
    provider: importstr 'provider.json',
    reputation: importstr 'reputation.json',
    exporter: importstr 'exporter.json',
  },
}
