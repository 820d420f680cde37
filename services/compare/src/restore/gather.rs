//! Everything a restore's preview rests on, read at one moment, and the decision.

use std::collections::{BTreeMap, BTreeSet};

use domain::access::ActorFacts;
use domain::backup::SetState;
use domain::contract::Registry;
use domain::id::{PolicyType, PolicyVersionId, SubjectKey};
use domain::identity::{name_in_key, subject_key};
use domain::observe::observe;
use domain::preflight::Coverage;
use domain::reference::NameTable;
use domain::restore::{Chosen, Content, Evidence, Now, Origin, Preview, preview};
use serde_json::Value;
use server::caller::Caller;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Selected, names};
use crate::compare::is_governed;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::restore::{ChosenVersion, Standing};
use crate::store::tenant::Tenant;

/// The most policies of one restore: the most items of one run.
pub const MAX_POLICIES: usize = 5000;
/// Contents held in memory at once; of each only what it means is kept.
const BATCH: usize = 50;

/// A preview with the tenant it is of.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The tenant.
    pub(super) tenant: Tenant,
    /// What was decided.
    pub(super) preview: Preview,
}

/// Derives the preview of a selection at `now`. What the actor may not see of it looks absent.
pub(super) async fn gather(
    state: &State,
    caller: &Caller,
    actor: &ActorFacts,
    selected: &Selected,
    now: OffsetDateTime,
) -> Result<Gathered> {
    let begin = pg::Begin::workspace(selected.workspace_id.uuid()).snapshot();
    let begin = match &caller.deadline {
        Some(deadline) => begin.statement_timeout(deadline.remaining()),
        None => begin,
    };
    let mut tx = state.db.begin(begin).await?;
    let (workspace, tenant_id) = (selected.workspace_id, selected.selection.tenant);
    let tenant = store::tenant::find(&mut tx, workspace, tenant_id).await?.ok_or(Error::NotFound)?;
    let versions = choose(&mut tx, &state.registry, actor, selected).await?;
    let reading = Reading { state, selected };
    let placed = reading.place(&mut tx, versions).await?;
    let names = reading.names(&mut tx, &placed).await?;
    let chosen = reading.read(&mut tx, placed, &names).await?;
    let mut coverage = BTreeMap::new();
    for (_, stored) in store::coverage::list(&mut tx, workspace, &[tenant_id]).await? {
        let decided = Coverage {
            state: stored.state,
            observed_at: stored.observed_at,
            approval_required: stored.approval_required,
        };
        coverage.insert(stored.policy_type, decided);
    }
    let denied_types = store::provider_connection::denied_types(&mut tx, workspace, tenant_id).await?;
    drop(tx);
    let preview = preview(&Evidence {
        selection: &selected.selection,
        chosen: &chosen,
        tenant_name: &tenant.name,
        tenant: tenant.facts(),
        denied_types: &denied_types,
        coverage: &coverage,
        registry: &state.registry,
        names: &names,
        staleness_limit: state.stale_after,
        now,
    });
    Ok(Gathered { tenant, preview })
}

/// The versions of the selection, one of an object.
async fn choose(
    conn: &mut PgConnection,
    registry: &Registry,
    actor: &ActorFacts,
    selected: &Selected,
) -> Result<Vec<ChosenVersion>> {
    let (workspace, tenant) = (selected.workspace_id, selected.selection.tenant);
    let versions = match &selected.selection.from {
        Origin::BackupSet { id, policy_types, external_ids } => {
            let set = store::backup_set::find(conn, workspace, tenant, *id).await?.ok_or(Error::NotFound)?;
            if set.state == SetState::InProgress {
                return Err(Error::BackupSetInProgress);
            }
            let types: Vec<&str> = policy_types.iter().map(|policy_type| policy_type.as_str()).collect();
            let ids: Vec<&str> = external_ids.iter().map(|id| id.as_str()).collect();
            let most = i64::try_from(MAX_POLICIES).unwrap_or(i64::MAX);
            let mut versions = store::restore::of_set(conn, workspace, *id, &types, &ids, most + 1).await?;
            // A set also has what is only read to give names to references: nobody restores that.
            versions.retain(|version| registry.get(version.policy_type.as_str()).is_none_or(is_governed));
            versions
        }
        Origin::PolicyVersions(ids) => {
            let ids: Vec<PolicyVersionId> = ids.iter().copied().collect();
            let versions = store::restore::named(conn, workspace, &ids).await?;
            let visible = versions.iter().filter(|version| actor.is_entitled_to(version.tenant_id)).count();
            if visible < ids.len() {
                return Err(Error::NotFound);
            }
            if versions.iter().any(|version| version.tenant_id != tenant) {
                return Err(Error::PolicyVersionOfAnotherTenant);
            }
            versions
        }
    };
    if versions.len() > MAX_POLICIES {
        return Err(Error::TooManyPolicies { most: MAX_POLICIES });
    }
    // Sorted by object.
    let object = |version: &ChosenVersion| (version.policy_type.clone(), version.external_id.clone());
    if versions.windows(2).any(|pair| object(&pair[0]) == object(&pair[1])) {
        return Err(Error::PolicyChosenTwice);
    }
    Ok(versions)
}

/// A chosen version, and what the tenant has in its place.
struct Placed {
    version: ChosenVersion,
    place: Place,
}

/// What the tenant has of a chosen object.
enum Place {
    /// It, or what was made again under its name.
    Held(Standing),
    /// Nothing. The key is what its content goes by, when that can be read.
    Empty { subject_key: Option<SubjectKey>, namesakes: usize },
}

/// Reading for one selection.
struct Reading<'a> {
    state: &'a State,
    selected: &'a Selected,
}

impl Reading<'_> {
    /// Finds what the tenant has of each.
    async fn place(&self, conn: &mut PgConnection, versions: Vec<ChosenVersion>) -> Result<Vec<Placed>> {
        let (workspace, tenant) = (self.selected.workspace_id, self.selected.selection.tenant);
        let types: Vec<&str> = versions.iter().map(|version| version.policy_type.as_str()).collect();
        let ids: Vec<&str> = versions.iter().map(|version| version.external_id.as_str()).collect();
        let standing = store::restore::standing(conn, workspace, tenant, &types, &ids).await?;
        let mut by_object: BTreeMap<_, _> =
            standing.into_iter().map(|one| ((one.policy_type.clone(), one.external_id.clone()), one)).collect();
        let held: Vec<Option<Standing>> = versions
            .iter()
            .map(|version| by_object.remove(&(version.policy_type.clone(), version.external_id.clone())))
            .collect();

        let gone: Vec<PolicyVersionId> =
            versions.iter().zip(&held).filter(|(_, held)| held.is_none()).map(|(version, _)| version.id).collect();
        let keys = self.keys(conn, &gone, &versions).await?;
        let wanted: BTreeSet<&str> = keys.values().map(|key| key.as_str()).collect();
        let wanted: Vec<&str> = wanted.into_iter().collect();
        let mut by_key: BTreeMap<SubjectKey, Vec<Standing>> = BTreeMap::new();
        for one in store::restore::standing_by_key(conn, workspace, tenant, &wanted).await? {
            by_key.entry(one.subject_key.clone()).or_default().push(one);
        }
        let place = |version: &ChosenVersion, held: Option<Standing>| match held {
            Some(held) => Place::Held(held),
            None => {
                let subject_key = keys.get(&version.id).cloned();
                let others = subject_key.as_ref().and_then(|key| by_key.get(key)).map_or(&[][..], Vec::as_slice);
                match others {
                    // What came after the version was captured took its place; what was there beside it did not.
                    [one] if one.first_observed_at > version.captured_at => Place::Held(one.clone()),
                    others => Place::Empty { subject_key, namesakes: others.len() },
                }
            }
        };
        let places: Vec<Place> = versions.iter().zip(held).map(|(version, held)| place(version, held)).collect();
        Ok(versions.into_iter().zip(places).map(|(version, place)| Placed { version, place }).collect())
    }

    /// The identities that contents go by.
    async fn keys(
        &self,
        conn: &mut PgConnection,
        ids: &[PolicyVersionId],
        versions: &[ChosenVersion],
    ) -> Result<BTreeMap<PolicyVersionId, SubjectKey>> {
        let (workspace, tenant) = (self.selected.workspace_id, self.selected.selection.tenant);
        let types: BTreeMap<PolicyVersionId, &PolicyType> =
            versions.iter().map(|version| (version.id, &version.policy_type)).collect();
        let mut keys = BTreeMap::new();
        for ids in ids.chunks(BATCH) {
            for (id, content) in store::restore::contents(conn, workspace, tenant, ids).await? {
                let contract = types.get(&id).and_then(|policy_type| self.state.registry.get(policy_type.as_str()));
                if let Some(contract) = contract {
                    let name = content.get(&contract.name_field).and_then(Value::as_str).unwrap_or_default();
                    keys.insert(id, subject_key(contract, name, &content));
                }
            }
        }
        Ok(keys)
    }

    /// The names that the contents' references go by. What is gone and chosen goes by the name it is restored with.
    async fn names(&self, conn: &mut PgConnection, placed: &[Placed]) -> Result<NameTable> {
        let selection = &self.selected.selection;
        let types: BTreeSet<&PolicyType> =
            placed.iter().filter(|one| !one.is_same()).map(|one| &one.version.policy_type).collect();
        let kinds = names::referred_kinds(&self.state.registry, &types, selection.include_assignments);
        let mut table = names::load(conn, self.selected.workspace_id, selection.tenant, &kinds).await?;
        for Placed { version, place } in placed {
            let key = match place {
                Place::Held(held) if held.external_id == version.external_id => continue,
                Place::Held(successor) => &successor.subject_key,
                Place::Empty { subject_key: Some(key), .. } => key,
                Place::Empty { subject_key: None, .. } => continue,
            };
            let name = name_in_key(&version.policy_type, key).to_owned();
            table.recall(version.policy_type.clone(), version.external_id.as_str(), &name, &version.display_name);
        }
        Ok(table)
    }

    /// Reads what differs, and says what it means in the tenant's names.
    async fn read(&self, conn: &mut PgConnection, placed: Vec<Placed>, names: &NameTable) -> Result<Vec<Chosen>> {
        let mut all = Vec::with_capacity(placed.len());
        let mut rest = placed.into_iter().peekable();
        while rest.peek().is_some() {
            let batch: Vec<Placed> = rest.by_ref().take(BATCH).collect();
            let mut contents = self.contents(conn, &batch, names).await?;
            for one in batch {
                all.push(one.into_chosen(&mut contents));
            }
        }
        Ok(all)
    }

    /// What the contents of a batch mean, by version. What cannot be read is left out.
    async fn contents(
        &self,
        conn: &mut PgConnection,
        batch: &[Placed],
        names: &NameTable,
    ) -> Result<BTreeMap<PolicyVersionId, Meant>> {
        let (workspace, tenant) = (self.selected.workspace_id, self.selected.selection.tenant);
        let mut types: BTreeMap<PolicyVersionId, &PolicyType> = BTreeMap::new();
        for one in batch.iter().filter(|one| !one.is_same()) {
            types.insert(one.version.id, &one.version.policy_type);
            if let Place::Held(held) = &one.place {
                types.insert(held.version_id, &one.version.policy_type);
            }
        }
        let ids: Vec<PolicyVersionId> = types.keys().copied().collect();
        let mut meant = BTreeMap::new();
        for (id, content) in store::restore::contents(conn, workspace, tenant, &ids).await? {
            let contract = types.get(&id).and_then(|policy_type| self.state.registry.get(policy_type.as_str()));
            if let Some(Ok(observed)) = contract.map(|contract| observe(contract, &content, names)) {
                meant.insert(id, Meant { label: observed.display_name.clone(), content: Box::new(observed.into()) });
            }
        }
        Ok(meant)
    }
}

/// What a content means, and what it calls itself.
#[derive(Clone)]
struct Meant {
    label: String,
    content: Box<Content>,
}

impl Placed {
    /// Whether the tenant has the very content.
    fn is_same(&self) -> bool {
        match &self.place {
            Place::Held(held) => held.whole && !held.doubtful && held.content_hash == self.version.content_hash,
            Place::Empty { .. } => false,
        }
    }

    fn into_chosen(self, contents: &mut BTreeMap<PolicyVersionId, Meant>) -> Chosen {
        let is_same = self.is_same();
        let Placed { version, place } = self;
        let meant = contents.get(&version.id).cloned();
        let named = meant.as_ref().map(|meant| meant.label.clone()).filter(|label| !label.is_empty());
        let last_known = Some(version.display_name).filter(|name| !name.is_empty());
        let label = named.or(last_known).unwrap_or_else(|| version.external_id.to_string());
        let wanted = meant.map(|meant| meant.content);
        let now = match place {
            Place::Held(_) if is_same => Now::Same,
            Place::Held(held) => Now::Present {
                current: contents.get(&held.version_id).filter(|_| held.whole).map(|meant| meant.content.clone()),
                external_id: held.external_id,
                wanted,
                observed_at: held.last_observed_at,
                doubtful: held.doubtful,
            },
            Place::Empty { namesakes, .. } => Now::Gone { wanted, namesakes },
        };
        Chosen {
            policy_type: version.policy_type,
            external_id: version.external_id,
            label,
            version: version.id,
            number: version.number,
            now,
        }
    }
}
