// Answers questions about permissions, a line of JSON each, by AWS's rules of evaluation: see tests/iam.py.
import { createInterface } from 'node:readline'
import { createValidatedPolicy, validateIdentityPolicy, validateResourcePolicy } from '@cloud-copilot/iam-policy'
import { runSimulation } from '@cloud-copilot/iam-simulate'

// The policies of roles, and of resources by their ARNs. They are looked at once, because that takes long.
const roles = {}
const resources = {}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  if (asked.roles) {
    for (const [role, policies] of Object.entries(asked.roles)) {
      roles[role] = policies.map(({ name, policy }) => ({ name, policy: createValidatedPolicy(policy, validateIdentityPolicy) }))
    }
    for (const [arn, policy] of Object.entries(asked.resources)) {
      resources[arn] = createValidatedPolicy(policy, validateResourcePolicy)
    }
    continue
  }
  const { role, account, action, resource, context, owner } = asked
  const answer = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/${role}/session`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context,
      },
      identityPolicies: roles[role],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resources[owner],
    },
    {},
  )
  const said = answer.overallResult ?? JSON.stringify(answer.errors)
  console.log(JSON.stringify({ said, ignored: answer.result?.ignoredContextKeys ?? [] }))
}
